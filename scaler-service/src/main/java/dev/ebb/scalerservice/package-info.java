@NullMarked
package dev.ebb.scalerservice;

import org.jspecify.annotations.NullMarked;
