package pades_test

import (
	"crypto/x509"
	"time"
)

func leaf(c *x509.Certificate)     { c.KeyUsage = x509.KeyUsageContentCommitment }
func endsSoon(c *x509.Certificate) { leaf(c); c.NotAfter = time.Now().Add(time.Hour) }
