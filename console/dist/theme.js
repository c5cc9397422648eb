// Before the first paint, so that a chosen theme does not flash the other one.
try {
  const theme = localStorage.getItem('millrace.theme')
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme
} catch {}
