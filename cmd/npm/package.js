// Writes the folders of the npm packages, one for each platform and the one that people
// install: node package.js OUT VERSION BIN NOTICES, where BIN has GOOS_GOARCH/rhx and rhx-full,
// and NOTICES is a file with the licences of what these link.
'use strict'

const fs = require('node:fs')
const path = require('node:path')

const [out, version, bin, notices] = process.argv.slice(2)
const systems = { linux: 'linux', darwin: 'darwin', windows: 'win32' }
const processors = { amd64: 'x64', arm64: 'arm64' }
const main = JSON.parse(fs.readFileSync(path.join(__dirname, 'package.json'), 'utf8'))
main.version = version
main.optionalDependencies = {}

const license = path.join(__dirname, '..', '..', 'LICENSE')
const write = (folder, content) => {
  fs.copyFileSync(license, path.join(folder, 'LICENSE'))
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify(content, null, 2) + '\n')
}

for (const platform of fs.readdirSync(bin).sort()) {
  const [system, processor] = platform.split('_')
  if (!(system in systems && processor in processors)) continue
  const name = `rhx-${systems[system]}-${processors[processor]}`
  const folder = path.join(out, name)
  fs.mkdirSync(path.join(folder, 'bin'), { recursive: true })
  for (const program of fs.readdirSync(path.join(bin, platform))) {
    const target = path.join(folder, 'bin', program)
    fs.copyFileSync(path.join(bin, platform, program), target)
    fs.chmodSync(target, 0o755)
  }
  fs.copyFileSync(notices, path.join(folder, 'THIRD_PARTY_NOTICES'))
  const { license, engines } = main
  write(folder, {
    name: `@rhx-dev/${name}`, version, description: `rhx for ${systems[system]} ${processors[processor]}`, license, engines,
    os: [systems[system]], cpu: [processors[processor]], files: ['bin', 'THIRD_PARTY_NOTICES'], preferUnplugged: true
  })
  main.optionalDependencies[`@rhx-dev/${name}`] = version
}
const folder = path.join(out, 'rhx')
fs.mkdirSync(folder)
fs.cpSync(path.join(__dirname, 'bin'), path.join(folder, 'bin'), { recursive: true })
for (const file of ['launch.js', 'README.md']) fs.copyFileSync(path.join(__dirname, file), path.join(folder, file))
write(folder, main)
