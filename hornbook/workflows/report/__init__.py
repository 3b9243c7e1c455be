"""Reports of runs: self-contained pages in English and Chinese, made of their files' facts."""
