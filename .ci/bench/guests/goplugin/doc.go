//go:build !wasip1

// Command goplugin is a guest of go-plugin in Go: build it with GOOS=wasip1.
package main

func main() {}
