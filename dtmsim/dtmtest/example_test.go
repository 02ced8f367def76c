package dtmtest_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
)

// script stands for the *testing.T of a test; an example has none.
type script struct {
	testing.TB
	last []func()
}

func (s *script) Helper()                   {}
func (s *script) Cleanup(f func())          { s.last = append(s.last, f) }
func (s *script) Errorf(f string, a ...any) { fmt.Printf(f, a...) }
func (s *script) FailNow()                  { panic("the example does not hold") }

func (s *script) end() {
	for _, f := range s.last {
		f()
	}
}

// client is the least that signs over CSC: yours is put in its place.
type client struct{ base, token string }

func newClient(sim *dtmtest.Sim) client {
	c := client{base: sim.BaseURL}
	resp, err := http.PostForm(sim.BaseURL+"/account/api/v1/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {sim.ClientID}, "client_secret": {sim.ClientSecret}})
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		panic(err)
	}
	c.token = got["access_token"].(string)
	return c
}

func (c client) call(method string, in map[string]any) (out map[string]any, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodPost, c.base+"/documentmanager/csc/v1/"+method, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return nil, nil
	}
	return out, json.NewDecoder(resp.Body).Decode(&out)
}

// sign authorizes one hash with a PIN and has it signed.
func (c client) sign(credential, pin string, hash []byte) ([]byte, error) {
	h := []string{base64.StdEncoding.EncodeToString(hash)}
	approved, err := c.call("credentials/authorize", map[string]any{"credentialID": credential, "numSignatures": 1, "hash": h, "PIN": pin})
	if err != nil {
		return nil, err
	}
	signed, err := c.call("signatures/signHash", map[string]any{"credentialID": credential, "SAD": approved["SAD"], "hash": h, "signAlgo": "1.2.840.10045.4.3.2"})
	if err != nil {
		return nil, err
	}
	values, ok := signed["signatures"].([]any)
	if !ok {
		return nil, fmt.Errorf("refused: %v", signed["error_description"])
	}
	return base64.StdEncoding.DecodeString(values[0].(string))
}

var document = sha256.Sum256([]byte("a document"))

// A person with a credential signs, and the ledger knows of it.
func Example() {
	t := &script{}
	defer t.end()

	sim := dtmtest.Start(t)
	ada := sim.Signer("cp-advanced-p256", "ada-2026")
	value, err := newClient(sim).sign(ada.Credential, ada.PIN, document[:])

	key := sim.Certificate(ada.Credential).PublicKey.(*ecdsa.PublicKey)
	fmt.Println(err, ecdsa.VerifyASN1(key, document[:], value), sim.Count(dtmsim.LedgerSigned, ada.Credential))
	// Output: <nil> true 1
}

// The key signs and the answer is lost: what does the client make of that?
func ExampleSim_Trouble() {
	t := &script{}
	defer t.end()

	sim := dtmtest.Start(t)
	ada := sim.Signer("cp-advanced-p256", "ada-2026")
	sim.Trouble(dtmsim.Fault{Path: "signatures/signHash", After: true, Drop: true})
	_, err := newClient(sim).sign(ada.Credential, ada.PIN, document[:])

	fmt.Println(err != nil, sim.Count(dtmsim.LedgerSigned, ada.Credential), sim.Faults()[0].Name)
	// Output: true 1 signatures/signHash: done, but the answer is lost
}

// Trouble by its name, as at the switchboard; it is met as often as it is wanted.
func ExampleSim_Rehearsed() {
	t := &script{}
	defer t.end()

	sim := dtmtest.Start(t)
	ada := sim.Signer("cp-advanced-p256", "ada-2026")
	sim.Rehearsed("signature-bit")
	c := newClient(sim)
	key := sim.Certificate(ada.Credential).PublicKey.(*ecdsa.PublicKey)
	for range 2 {
		value, err := c.sign(ada.Credential, ada.PIN, document[:])
		fmt.Println(err, ecdsa.VerifyASN1(key, document[:], value))
	}
	// Output:
	// <nil> false
	// <nil> true
}

// The same seed and the same calls meet the same trouble.
func ExampleSim_Hostile() {
	met := func(seed uint64) (all []string) {
		t := &script{}
		defer t.end()

		sim := dtmtest.Start(t)
		if err := sim.Hostile(seed, 0.5); err != nil {
			panic(err)
		}
		c := newClient(dtmtest.Start(t)) // a token from elsewhere is refused, and the calls are the same
		c.base = sim.BaseURL
		for range 8 {
			_, _ = c.call("credentials/list", map[string]any{})
		}
		for len(sim.Calls()) < 8 { // a call stands in the list when it is over
			time.Sleep(time.Millisecond)
		}
		for _, call := range sim.Calls() {
			all = append(all, call.Trouble)
		}
		return all
	}
	first, again := met(7), met(7)
	fmt.Println(fmt.Sprint(first) == fmt.Sprint(again), fmt.Sprint(first) == fmt.Sprint(met(8)))
	// Output: true false
}

// An approval that is not used in time is worth nothing.
func ExampleSim_Advance() {
	t := &script{}
	defer t.end()

	sim := dtmtest.Start(t, func(o *dtmsim.Options) { o.SADLife = time.Minute })
	ada := sim.Signer("cp-advanced-p256", "ada-2026")
	c := newClient(sim)
	approved, err := c.call("credentials/authorize", map[string]any{"credentialID": ada.Credential, "numSignatures": 1, "PIN": ada.PIN})
	sim.Advance(2 * time.Minute)
	signed, _ := c.call("signatures/signHash", map[string]any{"credentialID": ada.Credential, "SAD": approved["SAD"],
		"hash": []string{base64.StdEncoding.EncodeToString(document[:])}, "signAlgo": "1.2.840.10045.4.3.2"})
	fmt.Println(err, signed["error_description"])
	// Output: <nil> SAD expired
}
