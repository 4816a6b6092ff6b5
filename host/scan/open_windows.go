package scan

const noWait, noFollow = 0, 0
