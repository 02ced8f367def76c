package dtmclient

import (
	"encoding/json"
	"errors"
	"strings"
)

// credentialInfoWire is CSC 11.5 with the oddities seen in servers: SCAL as a number,
// multisign as a boolean, presences as booleans.
type credentialInfoWire struct {
	Description looseString `json:"description"`
	Key         struct {
		Status looseString   `json:"status"`
		Algo   []looseString `json:"algo"`
		Len    looseInt      `json:"len"`
		Curve  looseString   `json:"curve"`
	} `json:"key"`
	Cert struct {
		Status       looseString `json:"status"`
		Certificates []string    `json:"certificates"`
	} `json:"cert"`
	AuthMode  looseString `json:"authMode"`
	SCAL      looseString `json:"SCAL"`
	PIN       factorWire  `json:"PIN"`
	OTP       factorWire  `json:"OTP"`
	Multisign multisign   `json:"multisign"`
}

type factorWire struct {
	Presence    looseString `json:"presence"`
	Type        looseString `json:"type"`
	Format      looseString `json:"format"`
	Label       looseString `json:"label"`
	Description looseString `json:"description"`
	ID          looseString `json:"ID"`
	Provider    looseString `json:"provider"`
}

func (w factorWire) presence() Presence {
	switch p := Presence(strings.ToLower(string(w.Presence))); p {
	case PresenceTrue, PresenceOptional:
		return p
	}
	return PresenceFalse
}

// multisign is a number of at least 1, or a boolean in version 0.
type multisign int

func (m *multisign) UnmarshalJSON(b []byte) error {
	switch strings.Trim(string(b), `"`) {
	case "true":
		*m = NoCeiling
		return nil
	case "false", "null":
		*m = 1
		return nil
	}
	var n looseInt
	err := json.Unmarshal(b, &n)
	*m = multisign(min(max(n, 1), NoCeiling))
	return err
}

func credentialInfo(id string, body []byte) (CredentialInfo, error) {
	var w credentialInfoWire
	if err := object(body, &w); err != nil {
		return CredentialInfo{}, err
	}
	if w.Key.Status == "" || len(w.Key.Algo) == 0 || w.AuthMode == "" {
		return CredentialInfo{}, errors.New("the answer does not describe a credential")
	}
	chain, err := certificates(w.Cert.Certificates)
	if err != nil {
		return CredentialInfo{}, err
	}
	return CredentialInfo{ID: id, Description: clip(string(w.Description), 255),
		KeyStatus: string(w.Key.Status), KeyAlgo: texts(w.Key.Algo), KeyLen: int(w.Key.Len), KeyCurve: string(w.Key.Curve),
		CertStatus: string(w.Cert.Status), Certificates: chain, AuthMode: string(w.AuthMode),
		SCAL: firstOf(string(w.SCAL), "1"),
		PIN: PIN{Presence: w.PIN.presence(), Format: string(w.PIN.Format), Label: clip(string(w.PIN.Label), 255),
			Description: clip(string(w.PIN.Description), 255)},
		OTP: OTP{Presence: w.OTP.presence(), Type: string(w.OTP.Type), Format: string(w.OTP.Format), Label: clip(string(w.OTP.Label), 255),
			Description: clip(string(w.OTP.Description), 255), ID: string(w.OTP.ID), Provider: string(w.OTP.Provider)},
		Multisign: max(int(w.Multisign), 1)}, nil
}
