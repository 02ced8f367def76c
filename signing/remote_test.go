package signing_test

import (
	"context"
	"time"

	"countersign/dtmclient"
	"countersign/signing"
)

// Remotes that are the real client, with one thing different.

// mangled changes the values on their way here.
type mangled struct {
	signing.Remote
	change func([][]byte)
}

func (m mangled) SignHash(ctx context.Context, h dtmclient.HashesToSign) ([][]byte, error) {
	values, err := m.Remote.SignHash(ctx, h)
	if err == nil {
		m.change(values)
	}
	return values, err
}

// unreachable cannot connect when it authorizes.
type unreachable struct{ signing.Remote }

func (unreachable) Authorize(context.Context, dtmclient.Authorization) (dtmclient.SAD, error) {
	return dtmclient.SAD{}, &dtmclient.Error{Op: "credentials/authorize", Kind: dtmclient.Unreachable}
}

// cancels closes the visitor's window while the approval is under way.
type cancels struct {
	signing.Remote
	cancel func()
}

func (c cancels) Authorize(ctx context.Context, a dtmclient.Authorization) (dtmclient.SAD, error) {
	c.cancel()
	return c.Remote.Authorize(ctx, a)
}

// frozen stops for ten minutes with the value in its hands, while others sweep.
type frozen struct {
	signing.Remote
	w *world
}

func (f frozen) SignHash(ctx context.Context, h dtmclient.HashesToSign) ([][]byte, error) {
	values, err := f.Remote.SignHash(ctx, h)
	f.w.clock.pass(10 * time.Minute)
	if _, serr := f.w.LookAgain(ctx); serr != nil {
		return nil, serr
	}
	return values, err
}
