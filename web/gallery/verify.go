package gallery

import (
	"encoding/hex"

	"countersign/pades"
	"countersign/web/templates"
)

func verifies() []Entry {
	blank := templates.Verify{Page: page(nil, "Verify a signature", "verify"), MaxBytes: 100_000_000}
	refused := blank
	refused.Refused, refused.Name = "This is not a PDF file. Signatures in other kinds of files cannot be verified here yet.", "notes.docx"
	of := func(i pades.Indication, signatures ...pades.SignatureResult) templates.Verify {
		sum := fingerprint("Supply agreement 2026.pdf")
		return templates.Verify{
			Page: page(nil, "Verify a signature", "verify"), MaxBytes: 100_000_000, Name: "Supply agreement 2026-signed.pdf", Size: 2_512_000, SHA256: hex.EncodeToString(fingerprint("file")),
			Indent: templates.IndentLevels(sum), Words: templates.Words(sum), Result: &pades.Result{Indication: i, Signatures: signatures, Pages: 14, Size: 2_512_000},
		}
	}
	valid := of(pades.TotalPassed, good())
	valid.Known = "Separately: this site has a record of making this signature."

	foreign := good()
	foreign.Indication, foreign.SubIndication = pades.Indeterminate, "NO_CERTIFICATE_CHAIN_FOUND"
	foreign.Explanation = "The certificate does not lead to an issuer on the list of trusted issuers."
	foreign.Checks = append([]pades.Check{}, foreign.Checks...)
	foreign.Checks[1] = pades.Check{Name: "trust", State: "unknown", Text: "Nobody we know vouches for the certificate.", More: "The certificate does not lead to an issuer on the list of trusted issuers."}

	broken := good()
	broken.Indication, broken.SubIndication, broken.Computed = pades.TotalFailed, "HASH_FAILURE", fingerprint("y")
	broken.Explanation = "The signed bytes were changed: their fingerprint is not the one that was signed."
	broken.Checks = append([]pades.Check{}, broken.Checks...)
	broken.Checks[0] = pades.Check{Name: "integrity", State: "bad", Text: "The signed bytes were changed.", More: "Their fingerprint is not the one that was signed."}
	changed := of(pades.TotalFailed, broken)
	changed.Words, changed.Indent, changed.Other = nil, templates.IndentLevels(broken.Digest), templates.IndentLevels(broken.Computed)

	weak := good()
	weak.Indication, weak.SubIndication, weak.Explanation = pades.TotalFailed, "CRYPTO_CONSTRAINTS_FAILURE", "SHA-1 is no longer safe."
	none := of(pades.NoSignature)
	stamp := good()
	stamp.Type, stamp.SignerName = "timestamp", "Example TSA"
	return []Entry{
		entry("verify", "Verify", templates.VerifyPage, blank),
		entry("verify-refused", "Verify: refused", templates.VerifyPage, refused),
		entry("verify-valid", "Verify: valid", templates.VerifyPage, valid),
		entry("verify-unknown", "Verify: cannot confirm", templates.VerifyPage, of(pades.Indeterminate, foreign)),
		entry("verify-changed", "Verify: changed", templates.VerifyPage, changed),
		entry("verify-weak", "Verify: not valid for another reason", templates.VerifyPage, of(pades.TotalFailed, weak)),
		entry("verify-none", "Verify: no signature", templates.VerifyPage, none),
		entry("verify-several", "Verify: several signatures", templates.VerifyPage, of(pades.Indeterminate, good(), foreign, stamp)),
		entry("verify-all-good", "Verify: several, all valid", templates.VerifyPage, of(pades.TotalPassed, good(), stamp)),
	}
}
