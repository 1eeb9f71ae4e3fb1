package dev.ebb.walservice.log;

import dev.ebb.shared.model.Lsn;

/**
 * Where a fold keeps the history's bytes, by position. A write replaces what was there. What lies
 * before {@code keptFrom} is dropped.
 */
public interface History {
  /** Keeps nothing: for folds that ask only where the log ends. */
  History NOTHING =
      new History() {
        @Override
        public Lsn keptFrom() {
          return new Lsn(Long.MAX_VALUE);
        }

        @Override
        public void write(Lsn at, byte[] bytes, int offset, int length) {
          throw new IllegalStateException("nothing is kept here");
        }

        @Override
        public void read(Lsn at, byte[] into, int offset, int length) {
          throw new IllegalStateException("nothing is kept here");
        }
      };

  /** Bytes before this position are not kept. */
  Lsn keptFrom();

  /** Keeps bytes from {@code at} on, which is not before {@code keptFrom}. */
  void write(Lsn at, byte[] bytes, int offset, int length);

  /** Reads bytes that were written. */
  void read(Lsn at, byte[] into, int offset, int length);
}
