// Package ses reads and writes the diagnostic pages of SCSI Enclosure Services, one file a
// page, and exchanges them with an enclosure services process.
//
// It ignores reserved bits when it decodes a page and writes them as zero. It keeps unknown
// codes. Decoded pages never alias the bytes that they were decoded from. It never decides
// what a page means for a firmware update.
package ses
