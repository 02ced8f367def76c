package pades_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/padestest"
	"countersign/pades/pdf/pdftest"
)

// A remote key signs a digest; between the two phases the preparation is kept where it
// survives a restart.
func Example() {
	p := padestest.New()
	defer p.Close()
	ada := p.Issue("Ada Example", padestest.Key(), nil)
	ctx, file := context.Background(), pdftest.Plain(1)

	prepared, err := pades.Prepare(bytes.NewReader(file), int64(len(file)), pades.Options{Chain: ada.Chain(), Time: p.Now(), Timestamped: true})
	if err != nil {
		fmt.Println(err) // a *pades.Refusal says why this file cannot be signed
		return
	}
	value, err := cms.SignLocal(prepared.Unsigned, ada.Key) // far away: prepared.Digest() goes out, the value comes back
	if err != nil {
		fmt.Println(err)
		return
	}
	over, err := prepared.StampDigest(value) // refuses a value of another key or document
	if err != nil {
		fmt.Println(err)
		return
	}
	imprint := sha256.Sum256(over)
	token, err := p.Stamp(ctx, imprint[:], crypto.SHA256)
	if err != nil {
		fmt.Println(err)
		return
	}
	delta, err := prepared.Complete(value, token.Raw)
	if err != nil {
		fmt.Println(err)
		return
	}
	// The original is not touched: what is stored beside it is a few kilobytes.
	original, appended := pades.Part{ReaderAt: bytes.NewReader(file), Size: int64(len(file))}, pades.Part{ReaderAt: bytes.NewReader(delta), Size: int64(len(delta))}
	result, err := pades.Verify(ctx, pades.Join(original, appended), original.Size+appended.Size, pades.VerifyOptions{Roots: p.Roots()})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := result.Signatures[0]
	fmt.Println(result.Indication, s.SignerName, s.Level, s.CoversAll)
	// Output: TOTAL-PASSED Ada Example B-T true
}

// A signature with a timestamp is carried to B-LTA, which can be checked when its
// certificates have ended and the services are gone.
func ExampleExtend() {
	p := padestest.New()
	defer p.Close()
	file := signedForExample(p)

	added, err := pades.Extend(context.Background(), bytes.NewReader(file), int64(len(file)), pades.ExtendOptions{
		Level: "B-LTA", Roots: p.Roots(),
		Fetch: padestest.Fetch, // else of package fetch, which guards against addresses that are not for it
		Stamp: p.Stamp,         // asks a clock service
	})
	if err != nil {
		fmt.Println(err) // a *trust.Unproven names the certificate without data: try again later
		return
	}
	file = append(file, added.Delta...)
	result, err := pades.Verify(context.Background(), bytes.NewReader(file), int64(len(file)),
		pades.VerifyOptions{Roots: p.Roots(), Now: p.Now().AddDate(5, 0, 0)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range result.Signatures {
		fmt.Println(s.Type, s.Indication, s.Level)
	}
	// Output:
	// signature TOTAL-PASSED B-LTA
	// timestamp TOTAL-PASSED
}

func signedForExample(p *padestest.PKI) []byte {
	ada, file := p.Issue("Ada Example", padestest.Key(), nil), pdftest.Plain(1)
	prepared, err := pades.Prepare(bytes.NewReader(file), int64(len(file)), pades.Options{Chain: ada.Chain(), Time: p.Now(), Timestamped: true})
	if err != nil {
		panic(err)
	}
	value := must(cms.SignLocal(prepared.Unsigned, ada.Key))
	imprint := sha256.Sum256(must(prepared.StampDigest(value)))
	token := must(p.Stamp(context.Background(), imprint[:], crypto.SHA256))
	return append(file, must(prepared.Complete(value, token.Raw))...)
}
