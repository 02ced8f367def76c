package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"

	"countersign/blob"
	"countersign/db"
	"countersign/dtmclient"
	"countersign/grants"
)

func (c config) master() (*blob.Master, error) {
	masterKeys, err := keys(c.MasterKey, 32, 32)
	if err != nil {
		return nil, err
	}
	return blob.NewMaster(masterKeys...)
}

// grants keeps refresh tokens in the database, under the master key.
func (c config) grants(store *db.DB, master *blob.Master, alarmed func(string), log *slog.Logger) *grants.Service {
	return grants.New(grants.Options{Store: store.Grants(), Seal: master, ClientID: c.DTMClientID, ClientSecret: dtmclient.Secret(c.DTMClientSecret),
		RedirectURL: c.BaseURL + "/account/connected", Alarmed: alarmed, Log: log})
}

var errNoTable = errors.New("the token was not tried: DigiCert may change it with its first use, and the database is not there yet to keep it. " +
	"Run portal migrate, then portal doctor again")

// keptGrants are those of the site's own database, which has to be there: a token that is
// tried and not kept may be gone.
func keptGrants(ctx context.Context, c config) (*grants.Service, func(), error) {
	if path, isFile := strings.CutPrefix(string(c.DatabaseURL), "sqlite:"); isFile {
		if _, err := os.Stat(path); err != nil || foreign(path) { // opening would make one
			return nil, nil, errNoTable
		}
	}
	master, err := c.master()
	if err != nil {
		return nil, nil, err
	}
	store, err := db.Open(ctx, db.Config{URL: string(c.DatabaseURL), MaxConns: 2})
	if err != nil {
		return nil, nil, err
	}
	if pending, err := store.Pending(ctx); err != nil || pending {
		store.Close()
		return nil, nil, errors.Join(errNoTable, err)
	}
	return c.grants(store, master, nil, slog.New(slog.DiscardHandler)), func() { store.Close() }, nil
}
