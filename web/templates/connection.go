package templates

// connectPath leads to DigiCert's page, and afterwards back to where the person was.
func connectPath(c Connection) string { return query("/account/connect", "return_to", c.Back) }

// Missing reports whether the person has to connect before they can sign.
func (c Connection) Missing() bool { return c.State == "none" || c.State == "ended" }
