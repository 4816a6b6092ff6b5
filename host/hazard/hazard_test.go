package hazard

import "testing"

func TestOf(t *testing.T) {
	for want, names := range map[string][]string{
		RunsPrograms: {
			"PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "ENV", "PYTHONPATH", "PYTHONWARNINGS", "NODE_OPTIONS", "PERL5OPT", "PERL5SHELL", "RUBYOPT",
			"GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "GIT_TRACE", "BASH_FUNC_x%%", "npm_config_node_options", "RUSTC_WRAPPER", "Path",
		},
		Redirects: {
			"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "AZURE_OPENAI_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "OPENAI_API_BASE", "VAULT_ADDR",
			"PIP_INDEX_URL", "NODE_EXTRA_CA_CERTS", "GIT_SSL_NO_VERIFY", "GOPROXY",
		},
		"": {"MODE", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "NODE_ENV", "PYTHONUNBUFFERED", "GIT_AUTHOR_NAME", "DATABASE_URL", "PATHS", "ENVIRONMENT", "MY_PATH", "PROXY_COUNT"},
	} {
		for _, name := range names {
			if got := Of(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}

// What a provider's permission is marked for is sure; families are not in it.
func TestRuns(t *testing.T) {
	for name, want := range map[string]bool{"PATH": true, "LD_PRELOAD": true, "GIT_CONFIG_GLOBAL": true, "npm_config_script_shell": true, "GIT_TRACE": false, "PYTHONUTF8": false, "HTTPS_PROXY": false} {
		if Runs(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
