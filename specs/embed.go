// Package specs embeds the built-in provider specs, one YAML file each.
package specs

import "embed"

// FS holds NAME.yaml for every provider. Nothing is parsed at start-up.
//
//go:embed *.yaml
var FS embed.FS

// Names returns the providers in the order in which people see them.
func Names() []string {
	return []string{
		"aws", "azure", "gcp", "github", "huggingface", "kubernetes", "lambda", "docker", "ssh", "sky",
		"anthropic", "cohere", "langchain", "openai", "pinecone", "wandb", "clearml", "mysql", "rclone", "postgres", "git",
	}
}
