// Package reliability kills the portal and looks what became of it. It holds tests only.
//
// The portal is built as it is, with nothing added but that it ends itself by SIGKILL at a
// named point (build tag crashpoints). It runs as a process of its own on a real database;
// DTM and the login are simulated in the process of the tests and live on with their
// ledger. After each death the portal is started again as an operator would, time is let
// pass for what waits, and then portal fsck, the ledger and what people were answered are
// held against each other. Every such test can fail: the same runs on a portal whose
// guards were taken out one by one must find it.
//
// COUNTERSIGN_SOAK=1 runs the long form, about an hour.
package reliability
