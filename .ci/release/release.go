// Package release has what makes a release, and the tests of what people install by it.
package release
