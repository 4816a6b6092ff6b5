# Reads files as the libraries of Python do: a line of JSON for each file on stdin,
# {"reader": NAME, "data": BASE64}, and one for each on stdout, {"values": ...} or
# {"error": ...}.
#
# usage: references.py FOLDER...    folders of libraries
import base64
import configparser
import datetime
import io
import json
import netrc
import os
import sys
import tempfile
import tomllib

sys.path[:0] = sys.argv[1:]
import dotenv
import ruamel.yaml
import yaml

scratch = os.path.join(tempfile.mkdtemp(), "file")


def at_path(data):
    with open(scratch, "wb") as f:
        f.write(data)
    return scratch


def read_configparser(data):
    parser = configparser.RawConfigParser()
    parser.read([at_path(data)], encoding="utf-8")
    defaults = [["DEFAULT", o, v] for o, v in parser.defaults().items()]
    return defaults + [[s, o, parser.get(s, o)] for s in parser.sections() for o in parser.options(s)]


def read_netrc(data):
    hosts = netrc.netrc(at_path(data)).hosts
    return [[host, key, text] for host, entry in hosts.items() for key, text in zip(("login", "account", "password"), entry) if text]


def read_dotenv(data):
    return [["", k, v] for k, v in dotenv.dotenv_values(at_path(data)).items() if v is not None]


def plain(value):
    if isinstance(value, dict):
        return {"map": [[plain(k), plain(v)] for k, v in value.items()]}
    if isinstance(value, list):
        return {"list": [plain(v) for v in value]}
    if value is None:
        return {"null": ""}
    if isinstance(value, bool):
        return {"bool": str(value).lower()}
    if isinstance(value, (int, float)):
        return {"number": repr(value)}
    if isinstance(value, (datetime.date, datetime.time)):
        return {"date": str(value)}
    return {"string": str(value)}


readers = {
    "configparser": read_configparser,
    "netrc": read_netrc,
    "dotenv": read_dotenv,
    "toml": lambda data: plain(tomllib.loads(data.decode())),
    "pyyaml": lambda data: plain(yaml.safe_load(data)),
    "ruamel": lambda data: plain(ruamel.yaml.YAML(typ="safe", pure=True).load(data.decode())),
}

for line in sys.stdin:
    job = json.loads(line)
    try:
        answer = {"values": readers[job["reader"]](base64.b64decode(job["data"]))}
    except Exception as e:
        answer = {"error": type(e).__name__}
    try:
        text = json.dumps(answer)
    except (TypeError, ValueError) as e:
        text = json.dumps({"error": str(e)})
    print(text, flush=True)
