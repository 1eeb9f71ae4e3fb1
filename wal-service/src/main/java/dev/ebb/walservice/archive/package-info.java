/** What goes from the topics to the object store, and when topics are trimmed behind that. */
@NullMarked
package dev.ebb.walservice.archive;

import org.jspecify.annotations.NullMarked;
