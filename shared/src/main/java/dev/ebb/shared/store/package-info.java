/** The object store port, with a local-directory and an S3 implementation. */
@NullMarked
package dev.ebb.shared.store;

import org.jspecify.annotations.NullMarked;
