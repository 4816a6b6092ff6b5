//go:build !race

package machine_test

const raceFactor = 1
