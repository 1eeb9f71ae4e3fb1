@NullMarked
package dev.ebb.computeservice;

import org.jspecify.annotations.NullMarked;
