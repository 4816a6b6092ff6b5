// Becomes rhx as far as Node.js lets it: the same arguments, streams, signals and exit
// status. The program is in the package of this platform, an optional dependency.
'use strict'

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')

const windows = process.platform === 'win32'

// A terminal tells both processes of these, and rhx takes a second one for "at once". So
// they are passed on only where there is no terminal.
const ofTerminals = ['SIGINT', 'SIGQUIT', 'SIGHUP']

module.exports = (words) => {
  const platform = `${process.platform}-${process.arch}`
  let program
  try {
    program = require.resolve(`@rhx-dev/rhx-${platform}/bin/rhx${windows ? '.exe' : ''}`)
  } catch {
    console.error(`rhx: the package @rhx-dev/rhx-${platform}, which has the program, is not installed
  install without --omit=optional; there are such packages for linux, darwin and win32 with x64 and arm64`)
    process.exit(1)
  }
  const passed = windows ? [] : ['SIGTERM', 'SIGUSR1', 'SIGUSR2', ...(hasTerminal() ? [] : ofTerminals)]
  // Before rhx is started: this process may not end before it.
  let child
  for (const signal of ofTerminals) process.on(signal, () => {}) // rhx ends first
  for (const signal of passed) process.on(signal, () => child.kill(signal))
  child = spawn(program, [...words, ...process.argv.slice(2)], { stdio: 'inherit' })
  child.on('error', (error) => {
    console.error(`rhx: ${program} cannot be started: ${error.code}`)
    process.exit(126)
  })
  child.on('exit', (status, signal) => {
    if (signal !== null) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    }
    process.exit(signal === null ? status : 128 + os.constants.signals[signal])
  })
}

function hasTerminal () {
  try {
    fs.closeSync(fs.openSync('/dev/tty'))
    return true
  } catch {
    return false
  }
}
