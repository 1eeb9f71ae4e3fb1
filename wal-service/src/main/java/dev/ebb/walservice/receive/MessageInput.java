package dev.ebb.walservice.receive;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * What a server sends, given out one protocol message at a time: no read goes beyond the message
 * that it begins in. So a reader that buffers, as pgjdbc does, never holds a message that nobody
 * knows of, and {@link #hasMore} can tell whether there is another one. A message is a type byte, a
 * length of four bytes which counts itself, and the rest (PostgreSQL, "Message Formats"); the
 * connection must not use TLS or GSS, whose answers are single bytes. Used by one thread.
 */
final class MessageInput extends InputStream {
  private static final int HEADER_BYTES = 5;
  private static final int BUFFER_BYTES = 64 << 10;

  private final InputStream in;
  private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES).limit(0);

  /** Of the message that was begun: bytes not given out yet. */
  private int left;

  MessageInput(InputStream in) {
    this.in = in;
  }

  /** Whether the message given out last is complete and another one has begun to arrive. */
  boolean hasMore() throws IOException {
    return left == 0 && (buffer.hasRemaining() || in.available() > 0);
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
  }

  @Override
  public int read(byte[] bytes, int offset, int length) throws IOException {
    Objects.checkFromIndexSize(offset, length, bytes.length);
    if (length == 0) {
      return 0;
    }
    if (left == 0 && !begin()) {
      return -1;
    }
    int wanted = Math.min(length, left);
    int got;
    if (buffer.hasRemaining()) {
      got = Math.min(wanted, buffer.remaining());
      buffer.get(bytes, offset, got);
    } else if (wanted >= BUFFER_BYTES) {
      got = in.read(bytes, offset, wanted);
    } else if (fill()) {
      got = Math.min(wanted, buffer.remaining());
      buffer.get(bytes, offset, got);
    } else {
      got = -1;
    }
    if (got > 0) {
      left -= got;
    }
    return got;
  }

  /** What can be given out of the present message without waiting. */
  @Override
  public int available() throws IOException {
    return Math.min(left, buffer.remaining() + in.available());
  }

  @Override
  public void close() throws IOException {
    in.close();
  }

  /** Sees the next message's header into the buffer; false at the end of the stream. */
  private boolean begin() throws IOException {
    while (buffer.remaining() < HEADER_BYTES) {
      if (!fill()) {
        if (buffer.hasRemaining()) {
          throw new EOFException("the server's last message is cut off");
        }
        return false;
      }
    }
    int length = buffer.getInt(buffer.position() + 1);
    if (length < Integer.BYTES) {
      throw new IOException("a message of " + length + " bytes cannot be");
    }
    left = 1 + length;
    return true;
  }

  /** Reads more behind what is buffered; false at the end of the stream. */
  private boolean fill() throws IOException {
    buffer.compact();
    try {
      int got = in.read(buffer.array(), buffer.position(), buffer.remaining());
      if (got > 0) {
        buffer.position(buffer.position() + got);
      }
      return got >= 0;
    } finally {
      buffer.flip();
    }
  }
}
