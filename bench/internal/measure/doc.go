// Package measure holds the common parts of the benchmarks: the commands that they time, the description of the machine
// and the tables that they write. It imports nothing of the product.
package measure
