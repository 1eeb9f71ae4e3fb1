package dev.ebb.gateway.relay;

import io.netty.buffer.ByteBuf;

/**
 * Follows the messages in a backend's stream by their headers, whatever pieces it comes in. It
 * looks at five bytes a message and copies nothing.
 */
final class MessageWalk {
  static final byte ERROR = 'E';
  private static final byte READY = 'Z';
  private static final byte IDLE = 'I';
  private static final int HEADER_BYTES = 5;

  private final byte[] header = new byte[HEADER_BYTES];
  private int headerBytes;
  private int bodyLeft;
  private byte type = READY; // a relay begins behind ReadyForQuery
  private byte status = IDLE;
  private long readies;
  private long transactions;
  private boolean lost;

  /** Whether the last message is whole and the next has not begun. */
  boolean isBetweenMessages() {
    return !lost && bodyLeft == 0 && headerBytes == 0;
  }

  /** Of how many ReadyForQuery the last byte was walked over. */
  long readies() {
    return readies;
  }

  /** How many of them were behind a transaction's end. */
  long transactions() {
    return transactions;
  }

  /** Whether the last of them was. */
  boolean isIdle() {
    return status == IDLE;
  }

  /** The type of the message that was begun last. */
  byte lastType() {
    return type;
  }

  /**
   * Walks over what the chunk holds, up to the first error.
   *
   * @return the index at which an ErrorResponse begins, which is not walked over; -1: there is none
   */
  int toError(ByteBuf chunk) {
    int at = chunk.readerIndex();
    int end = chunk.writerIndex();
    while (at < end && !lost) {
      if (bodyLeft > 0) {
        int skipped = Math.min(bodyLeft, end - at);
        bodyLeft -= skipped;
        at += skipped;
        if (type == READY && bodyLeft == 0) {
          ready(chunk.getByte(at - 1));
        }
      } else if (headerBytes > 0) {
        header[headerBytes++] = chunk.getByte(at++);
        if (headerBytes == HEADER_BYTES) {
          headerBytes = 0;
          begin(
              (header[1] & 0xff) << 24
                  | (header[2] & 0xff) << 16
                  | (header[3] & 0xff) << 8
                  | (header[4] & 0xff));
        }
      } else {
        byte next = chunk.getByte(at);
        if (next == ERROR) {
          return at;
        }
        type = next;
        if (end - at >= HEADER_BYTES) {
          begin(chunk.getInt(at + 1));
          at += HEADER_BYTES;
        } else {
          headerBytes = 1;
          at++;
        }
      }
    }
    return -1;
  }

  /** An ErrorResponse was taken out of the stream, at its beginning, and is passed on whole. */
  void passedError() {
    type = ERROR;
  }

  /** Walks over an ErrorResponse's header, at its beginning, as over any other's. */
  void enterError(int length) {
    type = ERROR;
    begin(length);
  }

  private void ready(byte now) {
    status = now;
    readies++;
    if (now == IDLE) {
      transactions++;
    }
  }

  private void begin(int length) {
    if (length < 4) {
      lost = true; // no PostgreSQL sends this: everything is passed on, and nothing is put in
    } else {
      bodyLeft = length - 4;
    }
  }
}
