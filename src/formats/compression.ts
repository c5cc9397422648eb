export type Compression = 'none' | 'gzip' | 'zstd'
