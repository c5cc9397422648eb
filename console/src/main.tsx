import { render } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './style/base.css'
import './style/shell.css'
import './style/pages.css'
import './style/panels.css'
import './style/series.css'
import './style/graph.css'
import { App } from './app.tsx'
import { start } from './live/connection.ts'

render(<App />, document.getElementById('page')!)
start()
