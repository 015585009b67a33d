/*
 * A USB camera at /dev/video99, for programs that load this library with LD_PRELOAD. It offers MJPEG of 640x480 pixels at
 * 7.5 frames a second, and every frame is the file FAKE_CAMERA_FRAME. Before it is opened, another program has left it in the
 * format H264. It lists a control of a type that is younger than most programs.
 *
 * FAKE_CAMERA_KEEPS_FORMAT: it accepts no other format than that one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEVICE "/dev/video99"
#define BUFFERS 4
#define BUFFER_BYTES (1 << 20)
#define UNKNOWN_CONTROL_TYPE 0x0107 /* a rectangle */

static int camera = -1;
static unsigned char *memory;
static __u32 format = V4L2_PIX_FMT_H264;
static unsigned queue[BUFFERS * 2], queued, taken;

static int fail(int error)
{
	errno = error;
	return -1;
}

static int open_camera(void)
{
	camera = memfd_create("fake camera", 0);
	if (camera < 0 || ftruncate(camera, BUFFERS * BUFFER_BYTES))
		return -1;
	memory = mmap(0, BUFFERS * BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, camera, 0);
	queued = taken = 0;
	return camera;
}

static int take_frame(struct v4l2_buffer *buffer)
{
	const char *path = getenv("FAKE_CAMERA_FRAME");
	FILE *file;

	if (taken == queued)
		return fail(EAGAIN);
	if (!path || !(file = fopen(path, "rb")))
		return fail(EIO);
	unsigned index = queue[taken++ % (BUFFERS * 2)];
	size_t length = fread(memory + index * BUFFER_BYTES, 1, BUFFER_BYTES, file);
	fclose(file);
	memset(buffer, 0, sizeof *buffer);
	buffer->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	buffer->memory = V4L2_MEMORY_MMAP;
	buffer->index = index;
	buffer->bytesused = length;
	return 0;
}

static int answer(unsigned request, void *argument)
{
	switch (request) {
	case VIDIOC_ENUM_FMT: {
		struct v4l2_fmtdesc *listed = argument;
		if (listed->index)
			return fail(EINVAL);
		listed->pixelformat = V4L2_PIX_FMT_MJPEG;
		return 0;
	}
	case VIDIOC_ENUM_FRAMESIZES: {
		struct v4l2_frmsizeenum *listed = argument;
		if (listed->index)
			return fail(EINVAL);
		listed->type = V4L2_FRMSIZE_TYPE_DISCRETE;
		listed->discrete.width = 640;
		listed->discrete.height = 480;
		return 0;
	}
	case VIDIOC_ENUM_FRAMEINTERVALS: {
		struct v4l2_frmivalenum *listed = argument;
		if (listed->index)
			return fail(EINVAL);
		listed->type = V4L2_FRMIVAL_TYPE_DISCRETE;
		listed->discrete.numerator = 2;
		listed->discrete.denominator = 15;
		return 0;
	}
	case VIDIOC_S_FMT: {
		struct v4l2_format *wanted = argument;
		if (!getenv("FAKE_CAMERA_KEEPS_FORMAT"))
			format = wanted->fmt.pix.pixelformat;
	} /* fall through */
	case VIDIOC_G_FMT: {
		struct v4l2_format *set = argument;
		memset(&set->fmt, 0, sizeof set->fmt);
		set->fmt.pix.width = 640;
		set->fmt.pix.height = 480;
		set->fmt.pix.pixelformat = format;
		set->fmt.pix.field = V4L2_FIELD_NONE;
		set->fmt.pix.sizeimage = BUFFER_BYTES;
		return 0;
	}
	case VIDIOC_G_PARM:
	case VIDIOC_S_PARM: {
		struct v4l2_streamparm *rate = argument;
		rate->parm.capture.timeperframe.numerator = 2;
		rate->parm.capture.timeperframe.denominator = 15;
		return 0;
	}
	case VIDIOC_QUERY_EXT_CTRL: {
		struct v4l2_query_ext_ctrl *control = argument;
		__u32 id = V4L2_CID_CAMERA_CLASS_BASE + 36, after = control->id & V4L2_CTRL_ID_MASK;
		if (!(control->id & V4L2_CTRL_FLAG_NEXT_CTRL) || after >= id)
			return fail(EINVAL);
		memset(control, 0, sizeof *control);
		control->id = id;
		control->type = UNKNOWN_CONTROL_TYPE;
		return 0;
	}
	case VIDIOC_REQBUFS: {
		struct v4l2_requestbuffers *wanted = argument;
		if (wanted->count > BUFFERS)
			wanted->count = BUFFERS;
		queued = taken = 0;
		return 0;
	}
	case VIDIOC_QUERYBUF: {
		struct v4l2_buffer *buffer = argument;
		buffer->length = BUFFER_BYTES;
		buffer->m.offset = buffer->index * BUFFER_BYTES;
		return 0;
	}
	case VIDIOC_QBUF:
		queue[queued++ % (BUFFERS * 2)] = ((struct v4l2_buffer *)argument)->index;
		return 0;
	case VIDIOC_DQBUF:
		return take_frame(argument);
	case VIDIOC_STREAMON:
		return 0;
	case VIDIOC_STREAMOFF:
		queued = taken = 0;
		return 0;
	default:
		return fail(ENOTTY);
	}
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name)                                           \
	int name(const char *path, int flags, ...)           \
	{                                                    \
		va_list more;                                \
		va_start(more, flags);                       \
		mode_t mode = va_arg(more, mode_t);          \
		va_end(more);                                \
		if (!strcmp(path, DEVICE))           \
			return open_camera();                \
		return REAL(name)(path, flags, mode);        \
	}
OPEN(open)
OPEN(open64)

char *realpath(const char *path, char *resolved)
{
	if (!strcmp(path, DEVICE))
		return resolved ? strcpy(resolved, DEVICE) : strdup(DEVICE);
	return REAL(realpath)(path, resolved);
}

long syscall(long number, ...)
{
	va_list more;
	long a[6];

	va_start(more, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(more, long);
	va_end(more);
	if (number == SYS_ioctl && (int)a[0] == camera)
		return answer((unsigned)a[1], (void *)a[2]);
	return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
