package main

import (
	"fmt"
	"os"
	"os/user"

	"fwctl/internal/state"
	"fwctl/inventory"
)

// whoami returns the name of the person who runs this, for the record and for inventories.
func whoami() string {
	name := os.Getenv("SUDO_USER")
	if name == "" {
		name = account().Login
	}
	return inventory.Shown(name)
}

// account returns the system's account of the person: anyone can set $SUDO_USER.
func account() state.Account {
	a := state.Account{UID: os.Getuid(), Login: fmt.Sprintf("uid %d", os.Getuid()), SudoUser: os.Getenv("SUDO_USER")}
	if u, err := user.Current(); err == nil {
		a.Login = u.Username
	}
	return a
}
