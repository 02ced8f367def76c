package trust

// Indication is the main result of ETSI EN 319 102-1, clause 5.1.3.
type Indication string

// The indications. Never a boolean: Indeterminate means "cannot tell" and is not good.
const (
	TotalPassed   Indication = "TOTAL-PASSED"
	TotalFailed   Indication = "TOTAL-FAILED"
	Indeterminate Indication = "INDETERMINATE"
	// NoSignature is ours: there is none.
	NoSignature Indication = "NO-SIGNATURE"
)

// Worse is the graver of two, for a headline over several signatures.
func (i Indication) Worse(j Indication) Indication {
	if j.rank() > i.rank() {
		return j
	}
	return i
}

func (i Indication) rank() int {
	for n, x := range []Indication{NoSignature, TotalPassed, Indeterminate, TotalFailed} {
		if x == i {
			return n
		}
	}
	return 3
}

// Sub-indications of EN 319 102-1, clause 5.1.4, as the packages above and below use them.
const (
	FormatFailure             = "FORMAT_FAILURE"
	HashFailure               = "HASH_FAILURE"
	SigCryptoFailure          = "SIG_CRYPTO_FAILURE"
	SigConstraintsFailure     = "SIG_CONSTRAINTS_FAILURE"
	NoSigningCertificateFound = "NO_SIGNING_CERTIFICATE_FOUND"
	TimestampOrderFailure     = "TIMESTAMP_ORDER_FAILURE"
	NoCertificateChainFound   = "NO_CERTIFICATE_CHAIN_FOUND"
	ChainConstraintsFailure   = "CHAIN_CONSTRAINTS_FAILURE"
	ChainGeneralFailure       = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
	CryptoConstraints         = "CRYPTO_CONSTRAINTS_FAILURE"
	OutOfBoundsNoPOE          = "OUT_OF_BOUNDS_NO_POE"
	NotYetValid               = "NOT_YET_VALID"
	Revoked                   = "REVOKED"
	RevokedCANoPOE            = "REVOKED_CA_NO_POE"
	TryLater                  = "TRY_LATER"
)
