@NullMarked
package dev.ebb.walservice;

import org.jspecify.annotations.NullMarked;
