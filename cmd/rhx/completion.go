package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/rhx-dev/rhx/host/bundle"
)

type completionCmd struct {
	Shell string `arg:"" help:"bash, zsh, fish or powershell." enum:"bash,zsh,fish,powershell"`
}

func (c *completionCmd) Help() string {
	return `Completes commands, flags, secrets, their keys and versions, bundles, hosts and more at Tab. It asks nobody and no network: of a store in Vault, or one whose key waits for its passphrase, it knows what files of this machine say.

Examples:
  source <(rhx completion bash)    # in ~/.bashrc
  source <(rhx completion zsh)     # in ~/.zshrc
  rhx completion fish > ~/.config/fish/completions/rhx.fish
  rhx completion powershell | Out-String | Invoke-Expression    # in $PROFILE`
}

func (c *completionCmd) Run(a *app) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	quoted := bundle.ShellQuote(exe)
	if c.Shell == "powershell" {
		quoted = inPowerShell(exe)
	}
	_, err = fmt.Fprint(a.Data(), strings.ReplaceAll(completionScripts[c.Shell], "PROGRAM", quoted))
	return err
}

// inPowerShell is a text between quotes of PowerShell, which knows five of them.
func inPowerShell(text string) string {
	for _, quote := range []string{"'", "\u2018", "\u2019", "\u201a", "\u201b"} {
		text = strings.ReplaceAll(text, quote, quote+quote)
	}
	return "'" + text + "'"
}

// completionScripts have each shell call rhx (PROGRAM) with the line up to the cursor, and
// take the candidates, one a line. They go by variables: others can read arguments. For
// bash rhx quotes them, as it inserts them as they are; the other shells do so themselves.
// Where there is none, the shell completes files. A package has the script for zsh as a
// function _rhx, which zsh reads at the first Tab, and which has to answer that one, too.
var completionScripts = map[string]string{
	"bash": `_rhx_complete() {
    local name
    COMPREPLY=()
    while IFS= read -r name; do
        COMPREPLY+=("$name")
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" RHX_COMPLETE=bash RHX_COMPLETE_WORD="$2" PROGRAM)
}
complete -o default -o bashdefault -F _rhx_complete rhx
`,
	"zsh": `#compdef rhx
_rhx_complete() {
    local -a before names
    local word=$PREFIX
    [[ -n $compstate[quote] ]] || word=${(Q)PREFIX}
    before=("${(@Q)words[1,CURRENT-1]}")
    names=("${(@f)$(COMP_LINE="${(j: :)${(@qq)before}} ${(qq)word}" RHX_COMPLETE=zsh PROGRAM)}")
    if [[ -n $names[1] ]]; then
        compadd -- "${names[@]}"
    else
        _default
    fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _rhx_complete rhx
[[ $funcstack[1] != _rhx ]] || _rhx_complete "$@"
`,
	"fish": `function __rhx_complete
    set -lx RHX_COMPLETE fish
    set -lx COMP_LINE (commandline -cp)
    test -z (commandline -ct)
    and set COMP_LINE "$COMP_LINE "
    set -l names (PROGRAM)
    and test -n "$names"
    and string join \n -- $names
    or __fish_complete_path (commandline -ct)
end
complete -f -c rhx -a "(__rhx_complete)"
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName rhx -ScriptBlock {
    param($word, $ast, $cursor)
    $words = @($ast.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    }) + @("$word".Trim("'", '"'))
    $encoding = [Console]::OutputEncoding
    try {
        [Console]::OutputEncoding = [System.Text.UTF8Encoding]::new()
        $env:RHX_COMPLETE = 'powershell'
        $env:COMP_LINE = ($words | ForEach-Object { "'" + $_.Replace("'", "'\''") + "'" }) -join ' '
        & PROGRAM | ForEach-Object {
            $text = $_
            if ($text -notmatch '^[-\w./:=]+$') {
                $text = "'" + [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($text) + "'"
            }
            [System.Management.Automation.CompletionResult]::new($text, $_, 'ParameterValue', $_)
        }
    } finally {
        Remove-Item Env:RHX_COMPLETE, Env:COMP_LINE -ErrorAction Ignore
        [Console]::OutputEncoding = $encoding
    }
}
`,
}
