package doctor

// Checks are all checks, in the order of what they find. A new one is a file with a variable
// of type Check, and a line here.
func Checks() []Check {
	return []Check{
		configCheck,
		manifestCheck,
		storeCheck,
		lockedCheck,
		recordCheck,
		logCheck,
		keyModeCheck,
		keyPlaceCheck,
		backupCheck,
		diskCheck,
		foldersCheck,
		agentCheck,
		vaultCheck,
		clockCheck,
		expiringCheck,
		placedCheck,
		plaintextCheck,
		modesCheck,
		sshAgentCheck,
		sshFilesCheck,
		sshKeysCheck,
		sshConfigCheck,
		providersCheck,
		specsCheck,
		fullCheck,
		pathCheck,
		helpersCheck,
		sweepCheck,
		editsCheck,
		leftoversCheck,
		temporaryCheck,
		coreCheck,
		networkCheck,
	}
}
