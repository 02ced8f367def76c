package signing_test

import (
	"context"
	"crypto/sha256"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
	"countersign/pades/cms"
	"countersign/signing"
)

// Whoever is over a limit has DTM prepare nothing.
func TestALimitHoldsBeforeAttributesAreAskedFor(t *testing.T) {
	for name, limit := range map[string]func(*signing.Options){
		"of beginnings": func(o *signing.Options) { o.Limits.BeginsPerHour = 1 },
		"of documents":  func(o *signing.Options) { o.Limits.SignsPerHour = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-basic", elsewhere, limit)
			w.begun(w.submitted("In it"))
			over := []signing.DocumentID{w.submitted("Over it").ID, w.submitted("And this").ID}
			asked := w.calls("v1/hashes")
			_, _, err := w.Begin(ctx, w.ada, over, "ada")
			require.Equal(t, "too_often", code(t, err))
			require.Equal(t, asked, w.calls("v1/hashes"))
			require.Equal(t, 1, w.count("SELECT COUNT(*) FROM ceremonies"))
		})
	}
}

// stuffing gives attributes that are right, and larger than any are: they name the certificate again and again.
type stuffing struct {
	signing.Builder
	times int
}

type attributeWire struct {
	OID    asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

func (s *stuffing) Hashes(ctx context.Context, p dtmclient.ToPrepare) (dtmclient.Prepared, error) {
	got, err := s.Builder.Hashes(ctx, p)
	if err != nil {
		return got, err
	}
	given := &got.Documents[0]
	var all []attributeWire
	if _, err := asn1.UnmarshalWithParams(given.Attributes, &all, "set"); err != nil {
		return got, err
	}
	for i, a := range all {
		if !a.OID.Equal(cms.OIDSigningCertificateV2) {
			continue
		}
		var ess struct{ Certs []asn1.RawValue }
		if _, err := asn1.Unmarshal(a.Values[0].FullBytes, &ess); err != nil {
			return got, err
		}
		for range s.times {
			ess.Certs = append(ess.Certs, ess.Certs[0])
		}
		if all[i].Values[0].FullBytes, err = asn1.Marshal(ess); err != nil {
			return got, err
		}
	}
	if given.Attributes, err = asn1.MarshalWithParams(all, "set"); err != nil {
		return got, err
	}
	sum := sha256.Sum256(given.Attributes)
	given.Hash = sum[:]
	return got, nil
}

// What was reserved in the file does not grow, and the key signs once: it is seen before anybody approves.
func TestAttributesThatLeaveNoRoomAreNotApproved(t *testing.T) {
	for name, c := range map[string]struct {
		times   int
		unstamp bool
		good    bool
	}{
		"twice":                       {1, false, true},
		"40 times":                    {40, false, false},
		"twice, without a timestamp":  {1, true, true},
		"40 times, without timestamp": {40, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stuffing{times: c.times}
			w := newWorld(t, "cp-basic", func(o *signing.Options) {
				s.Builder = o.Remote.(signing.Builder)
				o.Builder, o.NoTimestamp = s, c.unstamp
			})
			d := w.submitted("Stuffed")
			begun, _, err := w.Begin(ctx, w.ada, []signing.DocumentID{d.ID}, "ada")
			if !c.good {
				require.Equal(t, "attributes_wrong", code(t, err))
				require.Zero(t, w.count("SELECT COUNT(*) FROM ceremonies"))
				return
			}
			require.NoError(t, err)
			begun = w.begun(d) // the same, and the code is sent
			_, err = w.Authorize(ctx, w.ada, begun.ID, w.factors())
			require.NoError(t, err)
			_, g := w.state(begun)
			require.Equal(t, signing.SignatureReleased, g.State)
		})
	}
}
