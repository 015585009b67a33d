/*
 * Writes a JPEG to a v4l2loopback device ten times a second:
 *
 *     film DEVICE WIDTH HEIGHT FILE
 *
 * Reads the file again for each frame, so that another can replace it.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void read_whole(const char *path, unsigned char *frame, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t length;

	if (!file)
		err(1, "%s", path);
	length = fread(frame, 1, size, file);
	if (ferror(file))
		err(1, "%s", path);
	if (length == size)
		errx(1, "%s is as large as a frame of %zu bytes", path, size);
	/* The device keeps what an older, longer frame left behind; a camera's driver does not. */
	memset(frame + length, 0, size - length);
	fclose(file);
}

int main(int argc, char **argv)
{
	struct v4l2_format format = { .type = V4L2_BUF_TYPE_VIDEO_OUTPUT };
	unsigned char *frame;
	size_t size;
	int device;

	if (argc != 5)
		errx(2, "usage: film DEVICE WIDTH HEIGHT FILE");
	device = open(argv[1], O_RDWR);
	if (device < 0)
		err(1, "%s", argv[1]);
	format.fmt.pix.width = atoi(argv[2]);
	format.fmt.pix.height = atoi(argv[3]);
	format.fmt.pix.pixelformat = V4L2_PIX_FMT_MJPEG;
	format.fmt.pix.field = V4L2_FIELD_NONE;
	/* A JPEG never needs more bytes than the raw pixels. */
	format.fmt.pix.sizeimage = format.fmt.pix.width * format.fmt.pix.height * 2;
	if (ioctl(device, VIDIOC_S_FMT, &format) < 0)
		err(1, "%s", argv[1]);
	size = format.fmt.pix.sizeimage;
	frame = malloc(size);
	if (!frame)
		err(1, "%zu bytes", size);
	for (;;) {
		read_whole(argv[4], frame, size);
		if (write(device, frame, size) != (ssize_t)size)
			err(1, "%s", argv[1]);
		usleep(100000);
	}
}
