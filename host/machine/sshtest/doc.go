// Package sshtest starts real SSH servers for tests: OpenSSH's sshd, or
// dropbear, on a loopback port of their own, for another user than the test's.
package sshtest
