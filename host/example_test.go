package host_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/secret"
)

// A key pair that is none; its parts are joined so that nothing takes it for one.
const (
	exampleID  = "AKIA" + "IOSFODNN7EXAMPLE"
	exampleKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"
)

// open opens an rhx in a new home folder, which has one file with credentials.
func open() *host.Host {
	home, err := os.MkdirTemp("", "rhx-example-")
	if err == nil {
		err = os.MkdirAll(filepath.Join(home, ".aws"), 0o700)
	}
	if err == nil {
		file := "[default]\naws_access_key_id = " + exampleID + "\naws_secret_access_key = " + exampleKey + "\n"
		err = os.WriteFile(filepath.Join(home, ".aws", "credentials"), []byte(file), 0o600)
	}
	if err != nil {
		panic(err)
	}
	h, err := host.Open(host.Options{Home: home, Getenv: func(string) string { return "" }})
	if err != nil {
		panic(err)
	}
	return h
}

func check(err error) {
	if err != nil {
		fmt.Println("error:", err)
	}
}

func ExampleOpen() {
	h, err := host.Open(host.Options{Store: "local", Warn: func(text string) { fmt.Fprintln(os.Stderr, text) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { check(h.Close()) }()
	// Output:
}

func ExampleHost_Detect() {
	h := open()
	found, err := h.Detect(context.Background())
	check(err)
	for _, f := range found {
		// A value redacts itself wherever it is printed; Reveal gives it.
		fmt.Println(f.Name, f.State, f.Sources[0], f.Values["secret_key"])
	}
	// Output: aws value ~/.aws/credentials ********
}

func ExampleHost_Save() {
	h := open()
	saved, err := h.Save(context.Background(), "aws")
	check(err)
	for _, s := range saved {
		fmt.Println(s.Name, s.Action, s.Version)
	}
	// Output: aws created 1
}

func ExampleHost_Put() {
	h := open()
	version, err := h.Put(context.Background(), &secret.Secret{Name: "db", Values: secret.Values{"password": secret.NewValue("fake")}})
	check(err)
	fmt.Println(version)
	// Output: 1
}

func ExampleHost_Get() {
	ctx, h := context.Background(), open()
	_, err := h.Save(ctx)
	check(err)
	s, err := h.Get(ctx, "aws")
	check(err)
	fmt.Println(s.Name, s.Values.Keys(), s.Values["access_key"].Reveal() == exampleID)
	// Output: aws [access_key secret_key] true
}

func ExampleHost_List() {
	ctx, h := context.Background(), open()
	_, err := h.Save(ctx)
	check(err)
	names, err := h.List(ctx)
	check(err)
	fmt.Println(names)
	// Output: [aws]
}

func ExampleHost_Delete() {
	ctx, h := context.Background(), open()
	_, err := h.Save(ctx)
	check(err)
	check(h.Delete(ctx, "aws"))
	check(h.Delete(ctx, "aws"))
	// Output: error: no secret "aws" in the local store
}

func ExampleHost_Load() {
	ctx, h := context.Background(), open()
	_, err := h.Put(ctx, &secret.Secret{Name: "aws/prod", Provider: "aws", Profile: "prod", Values: secret.Values{
		"access_key": secret.NewValue(exampleID), "secret_key": secret.NewValue(exampleKey),
	}})
	check(err)
	report, err := h.Load(ctx, "aws/prod")
	check(err)
	for _, o := range report {
		fmt.Println(o.Machine, o.Secret, o.Path, o.Action)
	}
	// Output: local aws/prod ~/.aws/credentials updated
}

func ExampleHost_Undo() {
	ctx, h := context.Background(), open()
	_, err := h.Put(ctx, &secret.Secret{Name: "lambda", Provider: "lambda", Values: secret.Values{"api_key": secret.NewValue("fake")}})
	check(err)
	_, err = h.Load(ctx, "lambda")
	check(err)
	report, err := h.Undo(ctx)
	check(err)
	fmt.Println(filepath.Base(report[0].Path), report[0].Action)
	// Output: lambda_keys removed
}

func ExampleHost_Sync() {
	ctx, h := context.Background(), open()
	_, err := h.Save(ctx)
	check(err)
	// A host that is not there: the report says so for each secret, and so does the error.
	report, err := h.Sync(ctx, []string{"nobody@127.0.0.1:1"}, "aws")
	fmt.Println(report[0].Machine, report[0].Secret, report[0].Action, err != nil)
	// Output: nobody@127.0.0.1:1 aws failed true
}

func ExampleHost_Command() {
	ctx, h := context.Background(), open()
	_, err := h.Save(ctx)
	check(err)
	cmd, err := h.Command(ctx, []string{"aws"}, "sh", "-c", `test -n "$AWS_SECRET_ACCESS_KEY" && echo $AWS_ACCESS_KEY_ID`)
	check(err)
	out, err := cmd.Output()
	check(err)
	fmt.Println(string(out) == exampleID+"\n")
	// Output: true
}
