/** Reading snapshots: manifests, the blocks that they name, boot packs. */
@NullMarked
package dev.ebb.pageservice.snapshot;

import org.jspecify.annotations.NullMarked;
