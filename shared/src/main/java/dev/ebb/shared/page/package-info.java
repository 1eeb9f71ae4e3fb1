/** What a snapshot is made of: files, blocks and the manifest that names them. */
@NullMarked
package dev.ebb.shared.page;

import org.jspecify.annotations.NullMarked;
