// Reads files as the libraries of Node.js do: a line of JSON for each file on stdin,
// {"reader": NAME, "data": BASE64}, and one for each on stdout, {"values": ...} or
// {"error": ...}.
//
// usage: node references.js READERS DOTENV    folders with node_modules
const fs = require("fs"), os = require("os"), path = require("path"), readline = require("readline");
const [readers, dotenv] = process.argv.slice(2);
const { loadSharedConfigFiles } = require(readers + "/node_modules/@smithy/shared-ini-file-loader");
const ini = require(readers + "/node_modules/ini");
const env = require(dotenv + "/node_modules/dotenv");
const scratch = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "references-")), "file");

const flat = (groups) => Object.entries(groups).flatMap(([g, o]) => Object.entries(o).map(([k, v]) => [g, k, v]));
const known = {
  async aws(data) {
    fs.writeFileSync(scratch, data);
    const files = await loadSharedConfigFiles({ filepath: scratch, configFilepath: os.devNull, ignoreCache: true });
    return flat(files.credentialsFile);
  },
  async npm(data) {
    const out = [];
    for (const [k, v] of Object.entries(ini.decode(data.toString()))) {
      if (v && typeof v === "object") out.push(...flat({ [k]: v }));
      else out.push(["", k, String(v)]);
    }
    return out.map(([g, k, v]) => [g, k, String(v)]);
  },
  async dotenv(data) {
    return flat({ "": env.parse(data) });
  },
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const job = JSON.parse(line);
    let answer;
    try {
      answer = { values: await known[job.reader](Buffer.from(job.data, "base64")) };
    } catch (e) {
      answer = { error: e.name };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
})();
