package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func init() { programs["gofetch"] = goFetch }

// goFetch prints the answer to a GET with a bearer token, by Go's net/http.
func goFetch() {
	if err := fetchTo(os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func fetchTo(w io.Writer, url, token string) error {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(w, res.Body)
	fmt.Fprintln(w, " over", res.Proto)
	return err
}

func worldCases() []worldCase {
	py := func(text string) string { return "cat > x.py <<'END'\n" + text + "\nEND\n\"$VENV/bin/python\" x.py" }
	one := func(name string) []string { return []string{name} }
	return []worldCase{
		{"curl over HTTP/1.1", one("openai"), `curl -sS --http1.1 -w '%{http_version}' -H "Authorization: Bearer $OPENAI_API_KEY" https://api.openai.com/echo`, []string{"known you are Bearer sk-", "1.1"}},
		{"curl over HTTP/2", one("openai"), `curl -sS --compressed -w '%{http_version}' -H "Authorization: Bearer $OPENAI_API_KEY" https://api.openai.com/echo; [ "$OPENAI_API_KEY" ] && echo same`, []string{"known you are Bearer sk-", "2same"}},
		{"curl without the placeholder", one("openai"), `curl -sS -H "Authorization: Bearer sk-other" https://api.openai.com/echo`, []string{"unknown you are Bearer sk-other"}},
		{"curl to a host without a rule", one("openai"), `curl -sS -H "Authorization: Bearer $OPENAI_API_KEY" https://plain.test/echo`, []string{"unknown you are Bearer sk-"}},
		{"wget has no trust in it", one("openai"), `wget -q -O- https://api.openai.com/echo || echo failed as documented`, []string{"failed as documented"}},
		{"Go net/http", one("openai"), `$GOFETCH https://api.openai.com/echo "$OPENAI_API_KEY"`, []string{"known you are Bearer sk-", "over HTTP/2.0"}},
		{"python requests, httpx, urllib and aiohttp", one("openai"), py(`
import os, asyncio, urllib.request, requests, httpx, aiohttp
url, h = "https://api.openai.com/echo", {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
r = requests.get(url, headers=h)
print("requests", r.text, r.text.endswith(os.environ["OPENAI_API_KEY"]))
print("elsewhere", requests.get("https://plain.test/echo", headers=h).text)
print("httpx", httpx.get(url, headers=h).text)
print("urllib", urllib.request.urlopen(urllib.request.Request(url, headers=h)).read().decode())
async def main():
    async with aiohttp.ClientSession(trust_env=True) as s:
        async with s.get(url, headers=h) as r:
            print("aiohttp", await r.text())
asyncio.run(main())`), []string{"requests known you are Bearer sk-", " True", "elsewhere unknown you are Bearer sk-", "httpx known you are", "urllib known you are", "aiohttp known you are"}},
		{"SDKs of openai and anthropic, streaming", []string{"openai", "anthropic"}, py(`
import openai, anthropic
for event in openai.OpenAI().chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True):
    print(event.choices[0].delta.content, end="|")
with anthropic.Anthropic().messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as s:
    print("|".join(s.text_stream))`), []string{"one|two|three|one|two"}},
		{"git clone and push", one("github"), `set -e
git config --global user.email a@b.test; git config --global user.name A
git config --global http.https://github.com/.proxy http://127.0.0.1:1
git config --global credential.helper '!f() { echo username=x; echo "password=$GH_TOKEN"; }; f'
git clone -q https://github.com/acme/repo.git clone
cd clone && cat README
head -c 3000000 /dev/urandom > big && git add big && git commit -qm big && git push -q origin HEAD:main
git ls-remote origin main | cut -f2`, []string{"hello from the repository", "refs/heads/main"}},
		{"gh", one("github"), `"$GH" api user`, []string{`{"login":"known"}`}},
		{"npm", one("npm"), `echo '//registry.npmjs.org/:_authToken=${NPM_TOKEN}' > .npmrc; npm whoami`, []string{"known-to-npm"}},
		{"cargo", one("cargo"), `cargo owner --list thing`, []string{"known-to-cargo"}},
		{"pip", one("openai"), `"$VENV/bin/pip" download -q --no-deps --disable-pip-version-check --no-cache-dir --index-url https://pypi.org/simple/ thing==1.0 && ls thing*`, []string{"thing-1.0.tar.gz"}},
		{"aws CLI", one("aws"), `aws sts get-caller-identity --query Arn --output text`, []string{"arn:aws:iam::1:user/known"}},
		{"aws CLI, S3", one("aws"), `head -c 300000 /dev/zero > f && aws s3 cp --quiet f s3://bucket/key && aws s3 cp --quiet s3://bucket/key g && cmp f g && echo the same`, []string{"the same"}},
		{"boto3", one("aws"), py(`
import boto3, requests
from botocore.client import Config
s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
print("put", requests.put(s3.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "a b+c"}), data=b"0123456789").status_code)
print("get", requests.get(s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "a b+c"})).text)
print("part", s3.get_object(Bucket="bucket", Key="a b+c", Range="bytes=2-4")["Body"].read())
old = boto3.client("s3", config=Config(signature_version="s3"))
print(requests.get(old.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "k"})).text)`), []string{"put 200", "get 0123456789", "part b'234'", "the AWS signature is of version 2"}},
	}
}
