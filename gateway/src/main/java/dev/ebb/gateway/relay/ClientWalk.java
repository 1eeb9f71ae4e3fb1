package dev.ebb.gateway.relay;

import io.netty.buffer.ByteBuf;

/**
 * Follows what a client sends by the messages' headers, to know whether something of it is still to
 * be answered. It looks at five bytes a message and changes nothing.
 *
 * <p>A Sync that PostgreSQL reads while it copies in is never answered. Then more answers are
 * expected here than come, and the client passes for busy until it goes: the safe side.
 */
final class ClientWalk {
  private static final int HEADER_BYTES = 5;

  private int headerBytes;
  private int length;
  private int bodyLeft;
  private byte type = 'S';
  private long asked;
  private boolean unsynced;
  private boolean lost;

  /** How many ReadyForQuery the client has asked for. */
  long asked() {
    return asked;
  }

  /** Whether all of what was sent leads to a ReadyForQuery, or is of a COPY. */
  boolean isSynced() {
    return !lost && !unsynced && headerBytes == 0 && bodyLeft == 0;
  }

  /** Whether the client has said that it goes. */
  boolean saidBye() {
    return type == 'X' && !lost;
  }

  /** Sees bytes on their way; leaves the reader index. */
  void walk(ByteBuf chunk) {
    int at = chunk.readerIndex();
    int end = chunk.writerIndex();
    while (at < end && !lost) {
      if (bodyLeft > 0) {
        int skipped = Math.min(bodyLeft, end - at);
        bodyLeft -= skipped;
        at += skipped;
      } else if (headerBytes == 0 && end - at >= HEADER_BYTES) {
        type = chunk.getByte(at);
        length = chunk.getInt(at + 1);
        at += HEADER_BYTES;
        begin();
      } else {
        if (headerBytes == 0) {
          type = chunk.getByte(at);
          length = 0;
        } else {
          length = (length << 8) | (chunk.getByte(at) & 0xff);
        }
        at++;
        headerBytes++;
        if (headerBytes == HEADER_BYTES) {
          headerBytes = 0;
          begin();
        }
      }
    }
  }

  private void begin() {
    if (length < 4) {
      lost = true; // the compute will end the connection
      return;
    }
    bodyLeft = length - 4;
    switch (type) {
      case 'Q', 'S', 'F' -> {
        asked++;
        unsynced = false;
      }
      case 'P', 'B', 'D', 'E', 'C', 'H' -> unsynced = true;
      default -> {}
    }
  }
}
