/** The page service, as computes use it: manifests, boot pages, pages on demand, captures. */
@NullMarked
package dev.ebb.computeservice.pages;

import org.jspecify.annotations.NullMarked;
