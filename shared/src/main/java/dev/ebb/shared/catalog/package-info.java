/**
 * Databases, branches and their heads: objects in the store that change by compare-and-set only.
 */
@NullMarked
package dev.ebb.shared.catalog;

import org.jspecify.annotations.NullMarked;
