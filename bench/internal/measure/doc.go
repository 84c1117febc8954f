// Package measure is what the benchmarks have in common: the command lines that they time, the machine that they run
// on, and the tables that they write. It imports nothing of the product.
package measure
