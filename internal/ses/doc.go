// Package ses reads and writes the diagnostic pages of SCSI Enclosure Services,
// one file a page, and carries them to and from an enclosure services process.
//
// Pages are decoded with the reserved bits ignored and encoded with them zero.
// Codes that are not known are kept. Decoded pages never alias the bytes they
// were decoded from. What a page means for a firmware update is not decided here.
package ses
