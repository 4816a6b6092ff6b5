// Package hazard knows variables that do more than hold a value: those by which
// programs run others, and those that send requests, and the secrets in them,
// somewhere else.
package hazard

import (
	"runtime"
	"slices"
	"strings"
)

// What a variable can do, in words for people.
const (
	RunsPrograms = "RUNS PROGRAMS"
	Redirects    = "REDIRECTS REQUESTS"
)

// runs are variables by which a program runs others, or code that they name.
var runs = []string{
	"PATH", "PATHEXT", "COMSPEC", "PSMODULEPATH", "IFS", "ENV", "BASH_ENV", "PROMPT_COMMAND", "PS4", "SHELL", "SHELLOPTS", "BASHOPTS", "ZDOTDIR", "FPATH", "HOME", "USERPROFILE",
	"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_DIRS",
	"EDITOR", "VISUAL", "PAGER", "MANPAGER", "BROWSER", "LESSOPEN", "LESSCLOSE", "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PERL5OPT", "PERL5LIB", "PERL5DB", "PERLLIB",
	"RUBYOPT", "RUBYLIB", "GEM_HOME", "GEM_PATH", "BUNDLE_GEMFILE", "NODE_OPTIONS", "NODE_PATH", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH",
	"LUA_INIT", "LUA_PATH", "LUA_CPATH", "R_PROFILE", "R_PROFILE_USER", "R_ENVIRON", "R_ENVIRON_USER", "PHPRC", "PHP_INI_SCAN_DIR", "DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER_PATH",
	"RUSTC_WRAPPER", "CC", "CXX", "MAKEFLAGS", "GOFLAGS", "GCONV_PATH", "SSH_ASKPASS", "SUDO_ASKPASS", "RSYNC_RSH", "ANSIBLE_CONFIG", "OPENSSL_CONF",
	"GIT_ASKPASS", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "GIT_PAGER", "GIT_EXTERNAL_DIFF", "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR", "GIT_PROXY_COMMAND", "GIT_DIR",
	"TAR_OPTIONS", "RSYNC_CONNECT_PROG", "LESS", "VIMINIT", "EXINIT", "INPUTRC", "PSQLRC", "MAKEFILES", "RUSTC", "RUSTFLAGS", "GOENV", "GOROOT", "GOTOOLCHAIN", "GOCACHEPROG", "MAVEN_OPTS", "GRADLE_OPTS", "JAVA_OPTS",
	"ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "JULIA_LOAD_PATH", "JULIA_DEPOT_PATH", "GTK_MODULES", "GTK_PATH", "QT_PLUGIN_PATH", "TF_CLI_CONFIG_FILE", "HELM_PLUGINS", "KUBE_EDITOR", "KUBECTL_EXTERNAL_DIFF", "PIP_CONFIG_FILE",
	"NPM_CONFIG_SCRIPT_SHELL", "NPM_CONFIG_PREFIX", "NPM_CONFIG_USERCONFIG", "KUBECONFIG", "DOCKER_CONFIG", "RHX_HOME", "RHX_AGE_IDENTITY_CMD", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "CLOUDSDK_PYTHON",
}

// runPrefixes begin the names of further ones.
var runPrefixes = []string{"LD_", "DYLD_", "BASH_FUNC_", "GIT_CONFIG", "GIT_SSH"}

// redirects are variables that say where requests go, or whose certificates count;
// those of packages also say whose code is installed.
var redirects = []string{
	"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "NPM_CONFIG_REGISTRY", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "HOMEBREW_BOTTLE_DOMAIN",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "NODE_TLS_REJECT_UNAUTHORIZED", "PYTHONHTTPSVERIFY", "GIT_SSL_NO_VERIFY", "GIT_SSL_CAINFO",
	"DOCKER_HOST", "DOCKER_TLS_VERIFY", "KUBERNETES_MASTER", "VAULT_SKIP_VERIFY", "RES_OPTIONS", "HOSTALIASES", "LOCALDOMAIN",
}

// redirectSuffixes end the names of further ones.
var redirectSuffixes = []string{"_PROXY", "_BASE_URL", "_API_BASE", "_API_URL", "_ENDPOINT", "_ENDPOINTS", "_ENDPOINT_URL", "_ADDR", "_ADDRESS"}

// Runs reports whether a variable has programs run other code.
func Runs(name string) bool {
	if upper := strings.ToUpper(name); strings.HasPrefix(upper, "NPM_CONFIG_") || runtime.GOOS == "windows" {
		name = upper // case does not count there
	}
	return slices.Contains(runs, name) || slices.ContainsFunc(runPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// Of says what a variable of this name can do beyond holding a value: RunsPrograms,
// Redirects, or "". Where Runs has the names that are sure to, Of has whole families,
// since a person decides; and some tools take lower case.
func Of(name string) string {
	name = strings.ToUpper(name)
	switch {
	case slices.Contains(harmless, name):
		return ""
	case slices.Contains(redirects, name),
		slices.ContainsFunc(redirectSuffixes, func(s string) bool { return strings.HasSuffix(name, s) }),
		strings.Contains(name, "_ENDPOINT_URL_"):
		return Redirects
	case Runs(name), slices.ContainsFunc(families, func(p string) bool { return strings.HasPrefix(name, p) }):
		return RunsPrograms
	}
	return ""
}

// families are names of which any may be one of those, but for harmless.
var (
	families = []string{"GIT_", "PYTHON", "PERL5", "RUBY", "NODE_", "NPM_CONFIG_", "BASH_", "MAVEN_", "GRADLE_"}
	harmless = []string{
		"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE", "GIT_TERMINAL_PROMPT", "GIT_TOKEN", "GIT_USERNAME", "GIT_PASSWORD", "GIT_BRANCH",
		"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "PYTHONIOENCODING", "PYTHONUTF8", "NODE_ENV", "RUBY_VERSION", "PYTHON_VERSION", "NODE_VERSION",
	}
)
