/** The vocabulary of Ebb as types: positions in the WAL, identities, generations, roles. */
@NullMarked
package dev.ebb.shared.model;

import org.jspecify.annotations.NullMarked;
