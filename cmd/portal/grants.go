package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"countersign/blob"
	"countersign/db"
	"countersign/dtmclient"
	"countersign/grants"
	"countersign/identity"
	"countersign/people"
	"countersign/signing"
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

// persons lets signing speak in a person's own name.
type persons struct {
	client *dtmclient.Client
	kept   *grants.Service
}

func (p persons) As(id people.ID) signing.Remote { return p.client.For(speaker{p.kept.As(id)}) }
func (p persons) Ready(ctx context.Context, id people.ID) error {
	return notConnected(p.kept.Ready(ctx, id))
}

// speaker says in signing's words that a person has to connect first.
type speaker struct{ dtmclient.Authenticator }

func (s speaker) Authenticate(ctx context.Context, r *http.Request) error {
	return notConnected(s.Authenticator.Authenticate(ctx, r))
}

func notConnected(err error) error {
	if errors.Is(err, grants.ErrNotConnected) {
		return fmt.Errorf("%w: %w", signing.ErrNotConnected, err)
	}
	return err
}

// activeNames are what a person signs with, by its names at DigiCert.
func activeNames(checks *identity.Service) func(context.Context, people.ID) ([]string, error) {
	return func(ctx context.Context, id people.ID) (names []string, err error) {
		own, err := checks.OwnCredentials(ctx, people.Actor{Person: id, Roles: []people.Role{people.Signer}})
		for _, c := range own {
			if c.State == identity.CredentialActive {
				names = append(names, c.Name)
			}
		}
		return names, err
	}
}

// reachable lists what an access token opens.
func reachable(client *dtmclient.Client) func(context.Context, dtmclient.Secret) ([]string, error) {
	return func(ctx context.Context, access dtmclient.Secret) ([]string, error) {
		once := dtmclient.Held(func(context.Context, *dtmclient.Client) (dtmclient.Tokens, error) {
			return dtmclient.Tokens{Access: access, Life: time.Minute}, nil
		})
		return client.For(once).CredentialsList(ctx, "")
	}
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
