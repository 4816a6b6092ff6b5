package session

import (
	"fmt"
	"os"
	"strings"
)

func parentName() string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", os.Getppid()))
	if err != nil {
		return "" // it has ended, or another user's is hidden
	}
	return strings.TrimSuffix(string(name), "\n")
}
