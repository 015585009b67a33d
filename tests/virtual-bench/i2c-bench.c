// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * An I2C bus, /dev/i2c-1, with one device that accepts every write.
 *
 * In debugfs, i2c-bench/written holds each message as two bytes of its length, the lower one first, and
 * its bytes. While i2c-bench/nak is Y, nothing is acknowledged, as if the device were unplugged.
 */
#include <linux/debugfs.h>
#include <linux/i2c.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/vmalloc.h>

#define ADDRESS 0x3c
/* Enough for hours of pictures. */
#define CAPACITY (16 << 20)

static u8 *written;
static size_t length;
static bool nak;
/* Guards written and length: the core serialises transfers, but not readers. */
static DEFINE_MUTEX(lock);
static struct dentry *folder;

static int take(const struct i2c_msg *message)
{
	if (nak || message->addr != ADDRESS)
		return -ENXIO;
	/* The device supports no reads. */
	if (message->flags & I2C_M_RD)
		return -EOPNOTSUPP;
	if (CAPACITY - length < 2 + message->len)
		return -ENOSPC;
	written[length++] = message->len & 0xff;
	written[length++] = message->len >> 8;
	memcpy(written + length, message->buf, message->len);
	length += message->len;
	return 0;
}

static int transfer(struct i2c_adapter *adapter, struct i2c_msg *messages, int count)
{
	int error = 0;
	int i;

	mutex_lock(&lock);
	for (i = 0; i < count && !error; i++)
		error = take(&messages[i]);
	mutex_unlock(&lock);
	return error ? error : count;
}

/* Plain I2C alone: no SMBus, not even emulated. */
static u32 functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C;
}

static const struct i2c_algorithm algorithm = {
	.master_xfer = transfer,
	.functionality = functionality,
};

static struct i2c_adapter adapter = {
	.owner = THIS_MODULE,
	.algo = &algorithm,
	.name = "i2c-bench",
	.nr = 1,
};

static ssize_t read(struct file *file, char __user *to, size_t count, loff_t *at)
{
	ssize_t result;

	mutex_lock(&lock);
	result = simple_read_from_buffer(to, count, at, written, length);
	mutex_unlock(&lock);
	return result;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.read = read,
	.llseek = default_llseek,
};

static int __init start(void)
{
	int error;

	written = vmalloc(CAPACITY);
	if (!written)
		return -ENOMEM;
	error = i2c_add_numbered_adapter(&adapter);
	if (error) {
		vfree(written);
		return error;
	}
	folder = debugfs_create_dir("i2c-bench", NULL);
	debugfs_create_file("written", 0400, folder, NULL, &operations);
	debugfs_create_bool("nak", 0600, folder, &nak);
	return 0;
}

static void __exit stop(void)
{
	debugfs_remove(folder);
	i2c_del_adapter(&adapter);
	vfree(written);
}

module_init(start);
module_exit(stop);
MODULE_DESCRIPTION("An I2C bus whose bytes can be read back");
MODULE_LICENSE("Dual MIT/GPL");
