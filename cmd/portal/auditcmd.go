package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"countersign/db"
)

const auditUsage = `usage: portal audit key

  key    print the keys that checkpoints of the log are signed with, the one in use first
`

func auditCommand(ctx context.Context, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, auditUsage)
		return unreadable
	}
	switch command, rest := args[0], args[1:]; {
	case command == "key" && len(rest) == 0:
		return fail(printLogKeys(ctx))
	}
	fmt.Fprint(os.Stderr, auditUsage)
	return unreadable
}

// openAsIs opens the configured database without bringing it to this program's schema.
func openAsIs(ctx context.Context) (config, *db.DB, error) {
	c, err := readConfig(environment())
	if err != nil {
		return c, nil, fmt.Errorf("the configuration does not hold:\n%w", err)
	}
	store, err := db.Open(ctx, db.Config{URL: string(c.DatabaseURL), MaxConns: c.DatabaseConns, Log: slog.New(slog.DiscardHandler)})
	return c, store, err
}

// printLogKeys prints the key in use, then those that signed before.
func printLogKeys(ctx context.Context) error {
	c, store, err := openAsIs(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	signer, err := c.auditSigner()
	if err != nil {
		return err
	}
	keys, err := store.AuditTree().Keys(ctx)
	if err != nil {
		return err
	}
	fmt.Println(signer.Key())
	for _, k := range slices.DeleteFunc(keys, func(k string) bool { return k == signer.Key() }) {
		fmt.Println(k)
	}
	return nil
}
